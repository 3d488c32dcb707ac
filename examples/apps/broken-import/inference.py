import a_module_nobody_has  # noqa: F401

from inferencesh import BaseApp


class App(BaseApp):
    pass
