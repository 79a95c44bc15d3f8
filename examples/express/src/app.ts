import express, { type Express } from 'express';

/** The application, without a port: what `main.ts` serves and a test could ask. */
export function createApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/', (_request, response) => {
    response.type('text/plain').send('Hello from Express\n');
  });
  app.get('/health', (_request, response) => {
    response.json({ status: 'ok', uid: process.getuid?.(), node: process.version });
  });
  app.use(express.static('public'));
  return app;
}
