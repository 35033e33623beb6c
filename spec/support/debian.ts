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

/**
 * The path of a program of the system. Debian's package of it is installed where it is missing and that is allowed: on Debian, as root.
 * Undefined where there is none and none may be installed.
 */
export function findProgram(program: SystemProgram): string | undefined {
  const { debianPackage, variable, paths } = program;
  const own = process.env[variable] ?? '';
  const installed = (): string | undefined => (own === '' ? paths : [own]).find(path => existsSync(path));
  const found = installed();

  if (found !== undefined || own !== '' || triedToInstall.has(debianPackage) || !isDebian() || process.getuid?.() !== 0) {
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
export function mustHaveAll(): boolean {
  return (process.env['CI'] ?? '') !== '';
}

function isDebian(): boolean {
  return existsSync('/etc/os-release') && /^ID="?debian"?$/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function aptGet(...args: string[]): void {
  execFileSync('apt-get', args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'pipe'] });
}

const triedToInstall = new Set<string>();
