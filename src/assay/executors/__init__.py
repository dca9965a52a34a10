"""Where jobs run.

`local.LocalExecutor` runs them in warm child processes, `inline.InlineExecutor` in this process.
Modules are imported by name, not from here: a worker must not pay for what only the driver needs.

    driver ──── orders, file descriptors ───► zygote (clean process; holds `evaluate`; only forks)
      ▲                                          │ fork
      └── one socket and one output pipe ────► worker, worker, …   (own session each)
"""
