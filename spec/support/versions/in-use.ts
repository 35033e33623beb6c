import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import packageJson from '../../../package.json' with { type: 'json' };
import { ROOT } from './programs.ts';

/** The versions that the specs run on, in one line. */
export async function versionsInUse(databaseUrl: string): Promise<string> {
  return [`PostgreSQL ${await serverVersion(databaseUrl)}`, `Node ${process.versions.node}`, `MikroORM ${mikroOrmVersions()}`].join(', ');
}

async function serverVersion(connectionString: string): Promise<string> {
  const client = new pg.Client({ connectionString });
  await client.connect();

  try {
    const { rows } = await client.query<{ version: string }>(`select split_part(current_setting('server_version'), ' ', 1) as version`);

    return rows[0]?.version ?? 'unknown';
  } finally {
    await client.end();
  }
}

/** One version, or each with the packages that have it. */
function mikroOrmVersions(): string {
  const names = Object.keys(packageJson.devDependencies).filter(name => name.startsWith('@mikro-orm/'));
  const installed = new Map(names.map(name => [name.replace('@mikro-orm/', ''), installedVersion(name)]));
  const versions = [...new Set(installed.values())];

  return versions.length === 1
    ? versions.join()
    : versions
        .map(version => `${version} (${[...installed.keys()].filter(name => installed.get(name) === version).join(', ')})`)
        .join(' and ');
}

function installedVersion(name: string): string {
  return (JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as { readonly version: string }).version;
}
