export { teardown as default } from './server-setup.js';
