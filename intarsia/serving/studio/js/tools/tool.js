/**
 * What a tool is: it hears where the pointer goes down, moves and goes up. Places are in pixels of the picture, with
 * whole numbers at the centres of pixels.
 *
 * @typedef {{x: number, y: number}} Point
 * @typedef {{altKey: boolean, double: boolean, reach: number}} Press `double`: second of two at one place; `reach`: how
 *   many pixels of the picture count as the same place for a finger or a mouse
 * @typedef {{
 *   id: string,
 *   title: string,
 *   key: string,
 *   hint: string,
 *   down: (point: Point, press: Press) => void,
 *   move?: (point: Point) => void,
 *   up?: () => void,
 *   cancel?: () => boolean,
 *   finish?: () => boolean,
 *   outline?: () => Point[],
 *   round?: boolean,
 * }} Tool `cancel` says whether there was something to give up; `finish` ends what takes several clicks, and says whether
 *   there was any; `outline` is a line to show meanwhile; `round` shows the size of the brush around the pointer
 */

export {};
