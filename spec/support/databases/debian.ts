import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** A program that some specs need and npm does not bring along. */
export interface SystemProgram {
  /** Debian's package of it. */
  readonly debianPackage: string;
  /** The environment variable that names it where it is somewhere else. */
  readonly variable: string;
  /** Where it is looked for. */
  readonly paths: readonly string[];
}

export const CHROMIUM: SystemProgram = {
  debianPackage: 'chromium',
  variable: 'CHROMIUM_PATH',
  paths: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
};

export const PGBOUNCER: SystemProgram = {
  debianPackage: 'pgbouncer',
  variable: 'PGBOUNCER_PATH',
  paths: ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer', '/opt/homebrew/bin/pgbouncer'],
};

/** With `pg_dump`, `pg_restore` and `psql` beside it, which npm does not have. */
export const POSTGRESQL: SystemProgram = {
  debianPackage: 'postgresql',
  variable: 'POSTGRESQL_PATH',
  paths: [18, 17, 16, 15, 14].map(major => `/usr/lib/postgresql/${major}/bin/postgres`),
};

/**
 * Installs what is missing and may be installed, for a run of all specs. To be called before there are several processes, of which apt
 * would let in but one; they install nothing any more.
 */
export function installMissing(): void {
  for (const program of [CHROMIUM, PGBOUNCER, POSTGRESQL]) {
    findProgram(program);
  }

  process.env[SETTLED] = 'yes';
}

/**
 * The path of a program of the system. Debian's package of it is installed where it is missing and that is allowed: on Debian, as root.
 * Undefined where there is none and none may be installed.
 */
export function findProgram(program: SystemProgram): string | undefined {
  const { debianPackage, variable, paths } = program;
  const own = process.env[variable] ?? '';
  const installed = (): string | undefined => (own === '' ? paths : [own]).find(path => existsSync(path));
  const found = installed();

  if (
    found !== undefined ||
    own !== '' ||
    process.env[SETTLED] !== undefined ||
    triedToInstall.has(debianPackage) ||
    !isDebian() ||
    process.getuid?.() !== 0
  ) {
    return found;
  }

  triedToInstall.add(debianPackage);

  try {
    aptGet('update');
    aptGet('install', '--yes', '--no-install-recommends', debianPackage);
  } catch (error) {
    console.log(`    ${debianPackage} could not be installed: ${String(error)}`);
  }

  return installed();
}

/** Whether what is missing fails the specs that need it, and does not only leave them pending. */
export function requiresAllPrograms(): boolean {
  return (process.env['CI'] ?? '') !== '';
}

function isDebian(): boolean {
  return existsSync('/etc/os-release') && /^ID="?debian"?$/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function aptGet(...args: string[]): void {
  // the run level of one user, in which no service is started
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  execFileSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
}

const triedToInstall = new Set<string>();

const SETTLED = 'SPEC_PROGRAMS_SETTLED';
