/** The door of the configuration: text → Config with findings, and back to text. */
export type * from './model.ts';
