"""The page in the browser, and the server behind it, bound to this machine unless asked: `vidtok serve`, docs/serve.md.

    browser ── guard ── app ──┬── sessions    folders that go when nobody comes any more
                              ├── jobs        the queue, and the one worker process that has the models
                              ├── labels      classes for the clips of a folder, as a list
                              └── fits        `vidtok fit` on that list, in a process of its own

The server itself imports no torch: what decodes and computes is the worker, which may die or be killed without it.
"""
