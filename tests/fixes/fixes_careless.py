"""Dockerfiles as people write them who were never told: made up of lines that rules have something to say about."""

import random

CONTEXT = {
    "package.json": '{"name": "app", "version": "1.0.0", "scripts": {"start": "node server.js", "build": "echo built > '
    'dist.txt"}}\n',
    "package-lock.json": '{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": '
    '{"": {"name": "app", "version": "1.0.0"}}}\n',
    "server.js": "require('http').createServer((q, s) => s.end('ok')).listen(3000, '0.0.0.0')\n",
    "requirements.txt": "",
    "app.py": "import http.server\nhttp.server.HTTPServer(('', 8000), http.server.SimpleHTTPRequestHandler)"
    ".serve_forever()\n",
    "main.go": 'package main\n\nfunc main() { println("hello") }\n',
    "go.mod": "module example.org/app\n\ngo 1.19\n",
    "src/index.js": "console.log(1)\n",
    "app/main.py": "print(1)\n",
    "run.sh": "#!/bin/sh\nexec sleep 1000\n",
    "README.md": "read me\n",
    "notes.txt": "notes\n",
    "server": "#!/bin/sh\nexec sleep 1000\n",
    "Makefile": "all:\n\techo made\n",
}
"""A context that has what such files copy."""

_SHELL = (
    "RUN echo one",
    "run echo two",
    "RUN cd /tmp && echo three",
    "RUN mkdir -p /srv/data\nRUN touch /srv/data/x",
    "RUN echo a | cat",
    "RUN echo $HOME > /home.txt",
    "RUN cd /srv; ls",
    "RUN set -e; \\\n    echo x; \\\n\n    echo y",
    "RUN chmod -R 755 /opt",
    "RUN echo 'a\\\\tb'",
    "RUN <<EOF\necho here\nEOF",
    "RUN true && \\\n    # a comment\n    true",
    "RUN sudo true || true",
    'RUN ["echo", "x"]',
)
_CONFIG = (
    "ENV A b",
    "ENV A=b",
    "env NODE_ENV production",
    "ENV PATH $PATH:/opt/bin",
    "ENV A b\nENV C $A",
    "LABEL version 1.0",
    'LABEL a="b" \\\n      c=d',
    "MAINTAINER Somebody <somebody@example.org>",
    "EXPOSE 80/TCP",
    "EXPOSE 8080:80",
    "EXPOSE 3000",
    "WORKDIR app",
    "WORKDIR /srv",
    "WORKDIR /srv/",
    "ARG VERSION=1\nENV VERSION $VERSION",
    "USER root",
    "VOLUME /data",
    "STOPSIGNAL SIGKILL",
    "HEALTHCHECK CMD true",
    "ONBUILD RUN echo later",
    'SHELL ["/bin/sh", "-c"]',
)
_COPIES = (
    "COPY . .",
    "ADD . /src",
    "ADD README.md /docs/",
    "COPY ./run.sh /usr/local/bin/run.sh\nRUN chmod +x /usr/local/bin/run.sh",
    "COPY run.sh README.md /opt/",
    "COPY src src",
    "COPY package.json package-lock.json /web/",
    "COPY . /app\nRUN chown -R 1000:1000 /app",
    "ADD https://example.org/nothing.txt /nothing.txt",
)
_ENDS = (
    "CMD echo hello",
    'CMD ["echo", "hello"]',
    "ENTRYPOINT sleep 1000",
    "CMD sleep 1000",
    "CMD a\nCMD sleep 100",
    "CMD node server.js",
    'ENTRYPOINT ["/bin/sh", "-c", "sleep 1000"]',
    'ENTRYPOINT echo $A\nCMD ["x"]',
)
_OF = {
    "debian:bookworm-slim": (
        "RUN apt-get update && apt-get install -y curl",
        "RUN apt-get update\nRUN apt-get install -y --no-install-recommends jq",
        "RUN apt update && apt install -y tree",
        "RUN apt-get update && apt-get install -y \\\n      jq \\\n      tree \\\n    && rm -rf /var/lib/apt/lists/*",
        "RUN apt-get -y update; apt-get -y install jq; apt-get clean",
        "RUN useradd -m app\nUSER app",
        "RUN groupadd -r app && useradd -r -g app app",
    ),
    "alpine:3.19": (
        "RUN apk add curl",
        "RUN apk update && apk add --no-cache jq",
        "RUN apk add --update tree && rm -rf /var/cache/apk/*",
        "RUN adduser -D app\nUSER app",
    ),
    "node:20-alpine": (
        "COPY . .\nRUN npm install",
        "COPY package.json .\nRUN npm install\nCOPY . .",
        "COPY . /app\nWORKDIR /app\nRUN npm ci\nRUN npm run build",
        "RUN npm config set fund false",
        'CMD ["npm", "start"]',
        "CMD npm start",
    ),
    "python:3.12-slim": (
        "COPY . .\nRUN pip install -r requirements.txt",
        "COPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt",
        "RUN pip config set global.timeout 5",
        'CMD ["python", "app.py"]',
        "CMD python app.py",
    ),
    "busybox:latest": ("RUN ls", "RUN adduser -D app\nUSER app"),
}


def careless(chance: random.Random) -> str:
    """One such file, perhaps with a second stage."""
    base = chance.choice(list(_OF))
    stages = [_stage(chance, base, "build" if chance.random() < 0.3 else "")]
    if stages[0].split("\n")[0].lower().endswith((" as build", " as Build")):
        word = chance.choice(("FROM", "from"))
        stages.append(f"{word} {base}\nCOPY --from=build /etc/hostname /from-build\n{_stage(chance, '', '')}")
    text = "\n".join(stages) + "\n" * (chance.random() < 0.9)
    if chance.random() < 0.15:
        text = text.replace("\n", "\r\n")
    return text


def _stage(chance: random.Random, base: str, name: str) -> str:
    lines = []
    if base:
        word = chance.choice(("FROM", "FROM", "from"))
        alias = f" {chance.choice(('AS', 'as'))} {name}" if name else ""
        lines.append(f"{word} {base}{alias}")
    for _ in range(chance.randint(2, 9)):
        own = _OF.get(base, ())
        source = chance.choice((_SHELL, _CONFIG, _COPIES[:-1], own or _SHELL))
        line = chance.choice(source)
        if chance.random() < 0.1:
            line = f"# {chance.choice(('why not', 'TODO', 'hadolint ignore=DL3008'))}\n{line}"
        lines.append(line)
    lines.append(chance.choice(_ENDS))
    return "\n".join(lines)
