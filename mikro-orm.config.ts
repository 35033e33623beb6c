export { config as default } from './fixtures/config.ts';
