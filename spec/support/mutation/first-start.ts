import '../assertions/statement-watch.ts';
import { forgetSeams } from '../../../dist/orm/seams/check-seams.js';

/**
 * Has the first ORM of each run look at its guards, as the first of a process does: a mutant that breaks one of them is noticed by every spec. What
 * is imported changes MikroORM's code, as in `npm test`, so that all seams are shown. It is loaded by Mocha, as only that shares its modules with the specs.
 */
before(forgetSeams);
