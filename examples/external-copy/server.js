// Answers with what came from the two other images: a line of nginx's
// configuration, and what BusyBox's wget fetches from this very server.
const { execFile } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:http');

const port = Number(process.env.PORT ?? 3000);
const configuration = readFileSync('/etc/nginx/nginx.conf', 'utf8');
const [workers = 'worker_processes: not found'] = configuration.match(/^worker_processes.*$/m) ?? [];

const server = createServer((request, response) => {
  if (request.url === '/plain') {
    response.end('fetched by wget');
    return;
  }
  const address = `http://127.0.0.1:${port}/plain`;
  execFile('/usr/local/bin/wget', ['-q', '-O', '-', address], (error, output) => {
    response.statusCode = error ? 500 : 200;
    response.end(`Hello from three images\n${workers}\n${error ? error.message : output}\n`);
  });
});

server.listen(port);
process.on('SIGTERM', () => process.exit(0));
