#!/usr/bin/python3
"""osken-manager for os-ken's own sample applications, which Debian's python3-os-ken comes without.

    OSKEN_APPS=DIR osken_rest.py [--wsapi-port N] [osken-manager's options] os_ken.app.rest_router

DIR/os_ken/app/ has the applications, DIR is left out if they can be imported anyway. They are not changed; what is here stands for parts of their
surroundings that later releases of os-ken and eventlet dropped: the manager starts the web server that an application asks for, and
`eventlet.wsgi` has a name for a request that a web socket took over.
    osken_rest.py --has os_ken.app.rest_router: exit status 0 if that is there, else 1 and what is missing
"""
import importlib
import os
import sys

from os_ken.lib import hub

hub.patch(thread=False)

import eventlet.wsgi  # noqa: E402
import os_ken.app  # noqa: E402

if os.environ.get("OSKEN_APPS"):
    os_ken.app.__path__.insert(0, os.path.join(os.environ["OSKEN_APPS"], "os_ken", "app"))
if not hasattr(eventlet.wsgi, "ALREADY_HANDLED"):
    eventlet.wsgi.ALREADY_HANDLED = object()


def has(modules):
    from os_ken import log  # what applications may expect to be there
    log.early_init_log(30)
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            print("%s: %s" % (module, error))
            return 1
    return 0


def run():
    from os_ken.base import app_manager
    try:
        from os_ken.app import wsgi  # registers --wsapi-host and --wsapi-port
    except ImportError:
        wsgi = None
    from os_ken.cmd import manager

    class Manager(app_manager.AppManager):
        def instantiate_apps(self, *args, **kwargs):
            services = super().instantiate_apps(*args, **kwargs)
            server = wsgi and wsgi.start_service(self)
            return services + [hub.spawn(server)] if server else services

    app_manager.AppManager._instance = Manager()
    return manager.main()


sys.exit(has(sys.argv[2:]) if sys.argv[1:2] == ["--has"] else run())
