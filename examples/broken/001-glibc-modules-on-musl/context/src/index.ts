import { createServer } from 'node:http';

import { crc32 } from '@node-rs/crc32';

const port = Number(process.env.PORT ?? 3000);
createServer((request, response) => {
  response.end(`Hello from a native module: ${crc32(request.url ?? '')}\n`);
}).listen(port);
