import { TenantRules } from '../../../dist/scope/tenant-rules.js';
import type { LibraryOrm } from './library-orm.ts';

/**
 * Runs `fn` as if the ORM heard of each change at once, so that no statement is preceded by the question who its tenant is, however long it takes. To be
 * called once a tenant was entered by its name: that opens the directory, which says whether changes are heard.
 */
export async function whileHeard<Result>(orm: LibraryOrm, fn: () => Promise<Result>): Promise<Result> {
  const { identities } = TenantRules.of(orm.config);
  const { wouldHaveHeard } = identities;
  identities.wouldHaveHeard = () => true;

  try {
    return await fn();
  } finally {
    identities.wouldHaveHeard = wouldHaveHeard;
  }
}
