export { caRotation } from './ca-rotation.js';
export { leafRotation } from './leaf-rotation.js';
export { scheduledLeafRotation } from './scheduled-leaf-rotation.js';
