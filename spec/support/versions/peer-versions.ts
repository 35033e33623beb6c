/**
 * The ends of the ranges that the web frameworks and the other optional peers may be of, with what belongs to each: `npm run test:peers` installs them.
 * A name with `npm:` is another name of a package.
 */
const OLDEST: Readonly<Record<string, string>> = {
  '@hono/node-server': '1.19.19',
  '@koa/router': '12.0.0',
  '@nestjs/common': '11.0.0',
  '@nestjs/core': '11.0.0',
  '@nestjs/graphql': '13.0.0',
  '@nestjs/microservices': '11.0.0',
  '@nestjs/platform-express': '11.0.0',
  '@nestjs/platform-fastify': '11.0.0',
  '@nestjs/platform-ws': '11.0.5',
  '@nestjs/websockets': '11.0.0',
  '@opentelemetry/api': '1.9.0',
  express: '5.0.0',
  express4: 'npm:express@4.16.0',
  fastify: '5.0.0',
  hono: '4.6.0',
  koa: '3.1.0',
  rxjs: '7.2.0',
};

export const PEER_VERSIONS: Readonly<Record<'oldest' | 'newest', Readonly<Record<string, string>>>> = {
  oldest: OLDEST,
  newest: {
    ...Object.fromEntries(Object.keys(OLDEST).map(name => [name, 'latest'])),
    '@opentelemetry/api': '^1',
    express4: 'npm:express@^4',
  },
};
