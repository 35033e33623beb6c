import { MikroORM } from '@mikro-orm/postgresql';
import { createApp } from './app.js';
import config from './mikro-orm.config.js';

const orm = await MikroORM.init(config);
const server = createApp(orm.em).listen(Number(process.env['PORT'] ?? 3000), () => console.log('Listening'));

// no new requests; those that have begun are finished, and then the connections are closed
process.once('SIGTERM', () => server.close(() => void orm.close()));
