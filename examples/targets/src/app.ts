import fastify, { type FastifyInstance } from 'fastify';

/** The application, without a port. */
export function createApp(): FastifyInstance {
  const app = fastify();
  app.get('/', async () => ({
    message: 'Hello from Fastify',
    environment: process.env.NODE_ENV ?? 'unset',
  }));
  return app;
}
