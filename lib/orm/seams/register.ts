import type { Seam } from './seam.js';
import { COMMAND_LINE_SEAMS } from './rows/command-line.js';
import * as connection from './rows/connection.js';
import * as contexts from './rows/contexts.js';
import * as driver from './rows/driver.js';
import * as entityManager from './rows/entity-manager.js';
import * as filters from './rows/filters.js';
import * as migrations from './rows/migrations.js';
import { POOL_PREFERENCES } from './rows/preferences.js';
import * as query from './rows/query.js';
import * as unitOfWork from './rows/unit-of-work.js';

/**
 * Everything undocumented or overridden of MikroORM, Kysely, pg and yargs that the guarantees of this library rest on. What is used and stands
 * in no row fails `spec/orm/seams/listed.spec.ts`.
 */
export const SEAMS: readonly Seam[] = [
  ...[entityManager, filters, query, driver, unitOfWork, connection, contexts, migrations].flatMap(rows => Object.values(rows).flat()),
  ...COMMAND_LINE_SEAMS,
];

/** What is used of these packages in the same way, and done without where it is not there. It is not looked at when an ORM starts. */
export const PREFERENCES: readonly Seam[] = POOL_PREFERENCES;

/** Those that show on classes. */
export const CLASS_SEAMS = SEAMS.filter(({ onObject }) => onObject !== true);

/** Those that show on objects. */
export const OBJECT_SEAMS = SEAMS.filter(({ onObject }) => onObject === true);

export function seamNamed(name: string): Seam {
  const seam = SEAMS.find(each => each.name === name);

  if (seam === undefined) {
    throw new Error(`No seam is named ${name}.`);
  }

  return seam;
}
