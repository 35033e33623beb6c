import { TenantConfigError } from '../../errors/index.js';
import { explain } from './explain.js';
import { driverObjectsOf, officialDriverOf, ownersOf, type AnyDriver } from './owners.js';
import { CLASS_SEAMS, OBJECT_SEAMS } from './register.js';
import { brokenShapes } from './shapes.js';

/**
 * Looks whether all that is there before an ORM is has its shape. To be called before anything of a driver's is replaced: what is not there
 * cannot be, and would be told less well by JavaScript.
 *
 * @throws TenantConfigError `TENANT_CONFIG`
 */
export function requireShapes(driver: AnyDriver): void {
  const Driver = officialDriverOf(driver);

  if (passed.has(Driver)) {
    return;
  }

  const broken = [...brokenShapes(CLASS_SEAMS, ownersOf(driver)), ...brokenShapes(OBJECT_SEAMS, driverObjectsOf(driver))];

  if (broken.length > 0) {
    throw TenantConfigError.brokenSeams(broken.map(explain));
  }

  passed.add(Driver);
}

/** Has the shapes looked at again. */
export function forgetShapes(): void {
  passed = new WeakSet();
}

let passed = new WeakSet<object>();
