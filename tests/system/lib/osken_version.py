"""Beside another application: holds osken-manager to OpenFlow OSKEN_VERSION (10, 13, 14, 15), which is else the highest that both know."""
import importlib
import os

from os_ken.base.app_manager import OSKenApp


class Version(OSKenApp):
    OFP_VERSIONS = [importlib.import_module("os_ken.ofproto.ofproto_v1_" + os.environ["OSKEN_VERSION"][1]).OFP_VERSION]
