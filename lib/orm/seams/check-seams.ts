import type { AbstractSqlDriver } from '@mikro-orm/postgresql';
import { reasonOf, TenantConfigError } from '../../errors/index.js';
import { leaveScope } from '../mikro-context.js';
import { explain } from './explain.js';
import { codeOfClasses, codeOfPool, isKnownCode } from './known-code.js';
import { liveOwnersOf, officialDriverOf, poolOwnersOf } from './owners.js';
import type { Probe } from './probe.js';
import { ProbeWorld, type OpenProbe } from './probe-world.js';
import { ALL, BASIC, type Probes } from './probes.js';
import { OBJECT_SEAMS, seamNamed } from './register.js';
import { brokenShapes, type BrokenSeam } from './shapes.js';

/** What a check needs of the rooms above. */
export interface CheckParts {
  readonly open: OpenProbe;
  /** Of what those rooms override. */
  readonly probes: readonly Probe[];
}

/**
 * Looks whether the guards of this library refuse what they must, in this process and on the installed versions: a small ORM is opened over a
 * database that is not there, and its guards are asked for another tenant's data. Once for each driver.
 *
 * Where the code of MikroORM is what the specs were run on, byte for byte, that is a look at one guard of each kind. Where it is not, as in
 * another version, a bundle or an instrumented process, each seam of the register is shown.
 *
 * What shows at once is thrown at once. What has to be awaited is in the promise; there is none where nothing is left to be awaited.
 *
 * @throws TenantConfigError `TENANT_CONFIG`
 */
export function checkSeams(driver: AbstractSqlDriver, parts: CheckParts): Promise<void> | undefined {
  const Driver = officialDriverOf(driver);
  let check = checks.get(Driver);

  if (check === undefined) {
    check = begin(driver, parts);
    checks.set(Driver, check);
  }

  if (check.failure !== undefined) {
    throw check.failure;
  }

  return check.pending;
}

/** Has everything looked at again. */
export function forgetSeams(): void {
  checks.clear();
}

function begin(driver: AbstractSqlDriver, parts: CheckParts): Check {
  return leaveScope(() => {
    const check: Check = { pending: undefined, failure: undefined };
    const broken: BrokenSeam[] = [];
    let world: ProbeWorld;
    let probes: Probes;

    try {
      world = openWorld(driver, parts.open);
      probes = world.isWhole ? withOthers(ALL, parts.probes) : BASIC;
      broken.push(...brokenShapes(OBJECT_SEAMS, world.isWhole ? liveOwnersOf(world) : poolOwnersOf(world)));
    } catch (error) {
      check.failure = fail(
        OPENING.map(name => ({ seam: seamNamed(name), seen: `the ORM of the probes could not be opened: ${reasonOf(error)}` })),
      );

      return check;
    }

    for (const probe of probes.atOnce) {
      try {
        probe.run(world);
      } catch (error) {
        broken.push(...brokenBy(probe, error));
      }
    }

    if (broken.length > 0) {
      check.failure = fail(broken);
      world.close().catch(() => undefined);

      return check;
    }

    check.pending = runAwaited(world, probes).then(
      () => void (check.pending = undefined),
      (error: unknown) => {
        check.pending = undefined;
        check.failure = error as TenantConfigError;
        throw error;
      },
    );
    // it is awaited by whoever starts, or by what is to be sent
    check.pending.catch(() => undefined);

    return check;
  });
}

/** A small one where all code is known. */
function openWorld(driver: AbstractSqlDriver, open: OpenProbe): ProbeWorld {
  const Driver = officialDriverOf(driver);

  if (isKnownCode(codeOfClasses(driver))) {
    const world = new ProbeWorld(Driver, open, { isWhole: false });

    if (isKnownCode(codeOfPool(world))) {
      return world;
    }
  }

  return new ProbeWorld(Driver, open, { isWhole: true });
}

async function runAwaited(world: ProbeWorld, probes: Probes): Promise<void> {
  const broken: BrokenSeam[] = [];
  world.record();

  for (const probe of [...probes.recorded, 'send', ...probes.sent] as const) {
    if (probe === 'send') {
      world.stopRecording();
      continue;
    }

    try {
      await withinLimit(probe.run(world));
    } catch (error) {
      broken.push(...brokenBy(probe, error));
    }
  }

  // a seam that is broken may hold a connection
  await withinLimit(world.close()).catch(() => undefined);

  if (broken.length > 0) {
    throw fail(broken);
  }
}

// what waits for an event that nobody sends any more would keep the ORM from being refused
async function withinLimit(work: unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it did not come to an end')), LIMIT_MS);
  });

  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

function withOthers(probes: Probes, others: readonly Probe[]): Probes {
  return { ...probes, sent: [...others, ...probes.sent] };
}

function brokenBy({ shows }: Probe, error: unknown): BrokenSeam[] {
  return shows.map(name => ({ seam: seamNamed(name), seen: reasonOf(error) }));
}

/** Where much is broken it is mostly by one change, so that the first are told in full and the others by name. */
function fail(broken: readonly BrokenSeam[]): TenantConfigError {
  const bySeam = broken.filter(({ seam }, index) => broken.findIndex(each => each.seam === seam) === index);
  const others = bySeam.slice(IN_FULL).map(({ seam }) => seam.name);

  return TenantConfigError.brokenSeams([
    ...bySeam.slice(0, IN_FULL).map(explain),
    ...(others.length > 0 ? [`The same may be the cause of these: ${others.join(', ')}.`] : []),
  ]);
}

/** What any ORM with tenants takes to be opened. */
const OPENING = [
  'Configuration.getExtension',
  'Configuration.registerExtension',
  'Discovery.onMetadata',
  'Discovery.afterDiscovered',
  'EntityMetadata.schema',
];

const IN_FULL = 5;

const LIMIT_MS = 1_000;

const checks = new Map<object, Check>();

interface Check {
  pending: Promise<void> | undefined;
  failure: TenantConfigError | undefined;
}
