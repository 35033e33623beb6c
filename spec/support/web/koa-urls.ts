import Koa from 'koa';

/** Whether `ctx.URL` is right where the request line has a host, as it is since Koa 3.3. What this library reads does not depend on it. */
export const koaReadsRequestLine =
  new Koa().createContext({ url: 'http://a.example.com/', headers: { host: 'a.example.com' }, socket: {} } as never, {} as never).URL
    .hostname === 'a.example.com';
