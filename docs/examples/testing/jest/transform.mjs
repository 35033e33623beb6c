import { transformSync } from 'esbuild';

export default {
  process: (source, file) =>
    transformSync(source, { loader: 'ts', format: 'esm', target: 'es2023', sourcefile: file, sourcemap: 'inline' }),
};
