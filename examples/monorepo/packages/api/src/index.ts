import { greeting } from '@example/shared';
import express from 'express';

const port = Number(process.env.PORT ?? 3000);
const app = express();
app.get('/', (_request, response) => {
  response.type('text/plain').send(`${greeting('the API')}\n`);
});
app.listen(port, () => console.log(`listening on ${port}`));
