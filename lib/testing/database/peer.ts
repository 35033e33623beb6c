import { createRequire } from 'node:module';

/** A package that a peer brings along, such as `pg`, which need not be found from here. */
export function packageOf<Module>(peer: string, name: string): Module {
  const require = createRequire(import.meta.url);

  return createRequire(require.resolve(peer))(name) as Module;
}
