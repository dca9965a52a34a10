"""Search spaces from elsewhere: formats and objects of other tools, read and written."""
