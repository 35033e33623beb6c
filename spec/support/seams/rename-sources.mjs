// Preloaded by a process whose MikroORM is to be another: the sources of packages are written anew as they are loaded.
import { registerHooks } from 'node:module';

const rewrites = JSON.parse(process.env.REWRITES).map(({ files, from, to }) => ({
  files: new RegExp(files),
  from: new RegExp(from, 'gm'),
  to,
}));

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const wanted = rewrites.filter(({ files }) => files.test(url));

    if (wanted.length === 0 || loaded.source === null || loaded.source === undefined) {
      return loaded;
    }

    let source = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source).toString();

    for (const { from, to } of wanted) {
      source = source.replace(from, to);
    }

    return { ...loaded, source };
  },
});
