import { vitestKit } from '@landlord/mikro-orm/testing/vitest';
import { test as base } from 'vitest';
import { kitOptions } from '../kit-options.js';

export const test = vitestKit(base, kitOptions);
