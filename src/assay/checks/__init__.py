"""What is looked at before anything is spent: 18 checks of the data, the metric and the model. Pure."""
