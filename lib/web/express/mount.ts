import type { Request, Response } from 'express';
import { withoutMount } from '../core/mount.js';

/**
 * Takes the tenant off the path for what comes after, and puts it into `req.baseUrl`, as a mounted router has them. The routers that come after
 * set `baseUrl` to their own mount path, which does not know of the tenant: it is added when they read it, and left out when they put back what
 * they have read.
 */
export function mount(req: Request, res: Response, mountPath: string): void {
  const { url, baseUrl: before } = req;
  const mounted = before + mountPath;
  // the router of Express gives back what it found, which is undefined for that of the application
  let own: string | undefined = before;

  req.url = withoutMount(url, mountPath);
  Object.defineProperty(req, 'baseUrl', {
    configurable: true,
    enumerable: true,
    get: () => (own?.startsWith(before) === true ? mounted + own.slice(before.length) : own),
    set: (value: string | undefined) => {
      own = value === mounted || value?.startsWith(`${mounted}/`) === true ? before + value.slice(mounted.length) : value;
    },
  });

  res.once('close', () => {
    req.url = url;
    Object.defineProperty(req, 'baseUrl', { configurable: true, enumerable: true, writable: true, value: before });
  });
}
