// eslint-disable-next-line no-control-regex
const operatingSystemCommand = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;
// eslint-disable-next-line no-control-regex
const cursorMove = /\u001b\[[0-9;]*[ABEFHfdG]/g;
// eslint-disable-next-line no-control-regex
const controlSequence = /\u001b\[[0-?]*[ -/]*[@-~]/g;
// eslint-disable-next-line no-control-regex
const otherEscape = /\u001b[ -/]*[0-~]/g;
// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** Terminal output as the words a person would read: escapes are dropped, a jump of the cursor counts as a new line. */
export function plainText(output: string): string {
  return output
    .replace(operatingSystemCommand, '')
    .replace(cursorMove, '\n')
    .replace(controlSequence, '')
    .replace(otherEscape, '')
    .replace(/\r/g, '')
    .replace(control, '');
}
