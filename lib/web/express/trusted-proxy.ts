import type { Request } from 'express';

/** Whether the setting `trust proxy` trusts the connection. Express makes a function of the setting. Without it, nobody is trusted. */
export function isProxyTrusted(req: Request): boolean {
  const isTrusted: unknown = req.app.get('trust proxy fn');

  return typeof isTrusted === 'function' && isTrusted(req.socket.remoteAddress, 0) === true;
}
