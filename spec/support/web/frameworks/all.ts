import type { Framework } from './edge-app.ts';
import { expressOf4, expressOf5 } from './express.ts';
import { fastify } from './fastify.ts';
import { hono } from './hono.ts';
import { koa } from './koa.ts';
import { nestOnExpress, nestOnFastify } from './nest.ts';
import { node } from './node.ts';

/** Every framework that has an edge. */
export const FRAMEWORKS: readonly Framework[] = [koa, expressOf5, expressOf4, fastify, hono, node, nestOnExpress, nestOnFastify];
