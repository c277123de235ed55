export function plantDefect(_name: string): void {}
