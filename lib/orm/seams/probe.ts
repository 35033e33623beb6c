import { TenantError, type TenantErrorCode } from '../../errors/index.js';
import { OTHER, OWN, type ProbeWorld } from './probe-world.js';

/** One look at whether seams hold. It throws, or its promise is rejected, where that is not seen. */
export interface Probe {
  /** The seams that this shows. */
  readonly shows: readonly string[];
  run(world: ProbeWorld): unknown;
}

/** What a probe did not see. */
export class NotSeen extends Error {}

export function see(isSo: unknown, what: string): void {
  if (isSo !== true) {
    throw new NotSeen(what);
  }
}

/** Runs `fn`, which has to be refused with the code; at once, or by the promise that it gives. */
export function refuses(code: TenantErrorCode, fn: () => unknown): unknown {
  let outcome: unknown;

  try {
    outcome = fn();
  } catch (error) {
    return expectCode(error, code);
  }

  if (!(outcome instanceof Promise)) {
    throw new NotSeen('it was not refused');
  }

  return outcome.then(
    () => {
      throw new NotSeen('it was not refused');
    },
    (error: unknown) => expectCode(error, code),
  );
}

/** Looks that a table was asked of the own tenant, and what is raw in it is for that tenant too. */
export function seeOwn(world: ProbeWorld, table: string): void {
  const statements = world.take();
  const ofOwn = ({ sql }: { readonly sql: string }): boolean => sql.includes(`"${OWN}"."${table}"`);
  see(statements.some(ofOwn), `${table} was not asked of the own tenant: ${statements.map(({ sql }) => sql).join('; ')}`);
  see(!statements.some(({ sql }) => sql.includes(OTHER)), `${table} was asked of another tenant`);
  see(
    statements.every(each => !ofOwn(each) || (each.target.kind === 'tenant' && each.target.schemaName === OWN)),
    `raw SQL with ${table} would not have the path of its tenant`,
  );
}

function expectCode(error: unknown, code: TenantErrorCode): void {
  if (!(error instanceof TenantError) || error.code !== code) {
    throw new NotSeen(`it failed with ${String(error)}`);
  }
}
