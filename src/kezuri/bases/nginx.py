"""The layer that turns alpine's stand-in into nginx's: Debian's nginx, set up as the official image."""

from collections.abc import Mapping

from kezuri.bases.alpine import GROUPS, USERS
from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.node import library, linker
from kezuri.bases.recipe import Layer
from kezuri.bases.system_files import Account, accounts, licence
from kezuri.oci import Platform

_LIBRARIES = ("libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "libzstd1", "openssl-provider-legacy", "zlib1g")
_MAIN = """\
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;

events {
    worker_connections 1024;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
"""
_SITE = """\
server {
    listen 80;
    server_name localhost;

    location / {
        root /usr/share/nginx/html;
        index index.html;
    }
}
"""
_PAGE = "<!DOCTYPE html>\n<title>nginx</title>\n<h1>nginx runs</h1>\n"
_ENTRYPOINT = """\
#!/bin/sh
# Scripts of the image's user run first, as in the official image.
set -e
for script in /docker-entrypoint.d/*.sh; do
	[ ! -x "$script" ] || "$script"
done
exec "$@"
"""
_SETTINGS = ("mime.types", "fastcgi.conf", "fastcgi_params", "scgi_params", "uwsgi_params", "proxy_params")


def _settings(path: str) -> str | None:
    return path if path in {f"etc/nginx/{name}" for name in _SETTINGS} else licence(path)


def _write(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    for name in _LIBRARIES:
        layer.take(debs[name], library)
    linker(layer, platform)
    layer.take(debs["nginx"], lambda path: path if path == "usr/sbin/nginx" else licence(path))
    layer.take(debs["nginx-common"], _settings)
    accounts(layer, (*USERS, Account("nginx", 101, 101, "/var/cache/nginx")), GROUPS, shadow=True, replaces=True)
    layer.file("etc/nginx/nginx.conf", _MAIN)
    layer.file("etc/nginx/conf.d/default.conf", _SITE)
    layer.file("usr/share/nginx/html/index.html", _PAGE)
    layer.file("docker-entrypoint.sh", _ENTRYPOINT, 0o755)
    for path in ("docker-entrypoint.d", "var/log/nginx", "etc/nginx/modules", "usr/share/nginx/modules"):
        layer.dir(path)
    for path in ("var/cache/nginx", "var/lib/nginx"):
        layer.dir(path, 0o755, 101, 101)
    # Logs go to whoever runs the container.
    layer.symlink("var/log/nginx/access.log", "/dev/stdout")
    layer.symlink("var/log/nginx/error.log", "/dev/stderr")


NGINX = Layer("nginx", (*_LIBRARIES, "nginx", "nginx-common"), _write)
