import type { WrappedOrm } from '../../scope/wrapped-orm.js';

/** What a commit of the code under test has to run: a savepoint checks no constraint that is deferred, as a commit does. */
export function checksAtCommit(orm: Pick<WrappedOrm, 'getMetadata'>): readonly string[] {
  const metas = [...orm.getMetadata().getAll().values()];
  const hasDeferred = metas.some(meta => [...meta.props, ...meta.uniques].some(({ deferMode }) => deferMode !== undefined));

  return hasDeferred ? ['set constraints all immediate', 'set constraints all deferred'] : [];
}
