import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import Koa from 'koa';

/** Koa's context of a request to the host, without a connection, to call a middleware directly. */
export function contextOf(host: string): Koa.ParameterizedContext {
  const request = new IncomingMessage(new Socket());
  request.httpVersionMajor = 1;
  request.url = '/';
  request.rawHeaders.push('Host', host);
  request.headers.host = host;

  return app.createContext(request, new ServerResponse(request));
}

const app = new Koa();
