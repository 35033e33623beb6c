import type { Request, Response } from 'express';
import { withoutMount } from '../core/mount.js';

/**
 * Takes the tenant off the path for what comes after, and puts it into `req.baseUrl`, as a mounted router has them. The routers that come after
 * set `baseUrl` to their own mount path, which does not know of the tenant: it is added when they read it, and left out when they put back what
 * they have read.
 */
export function mount(req: Request, res: Response, mountPath: string): void {
  const { url, baseUrl: before } = req;

  req.url = withoutMount(url, mountPath);
  const value: Mount = { before, mounted: before + mountPath, own: before };
  Object.defineProperty(req, MOUNT, { configurable: true, value });
  Object.defineProperty(req, 'baseUrl', BASE_URL);

  res.once('close', () => {
    req.url = url;
    Object.defineProperty(req, 'baseUrl', { configurable: true, enumerable: true, writable: true, value: before });
  });
}

const MOUNT = Symbol('landlord.mount');

// shared by all requests: with functions of its own, each would get its own hidden class in V8, and stay with it until a full garbage collection
const BASE_URL: PropertyDescriptor & ThisType<{ readonly [MOUNT]: Mount }> = {
  configurable: true,
  enumerable: true,
  get() {
    const { before, mounted, own } = this[MOUNT];

    return own?.startsWith(before) === true ? mounted + own.slice(before.length) : own;
  },
  set(value: string | undefined) {
    const mount = this[MOUNT];
    const { before, mounted } = mount;
    mount.own = value === mounted || value?.startsWith(`${mounted}/`) === true ? before + value.slice(mounted.length) : value;
  },
};

interface Mount {
  readonly before: string;
  readonly mounted: string;
  /** What the routers have set. The router of Express gives back what it found, which is undefined for that of the application. */
  own: string | undefined;
}
