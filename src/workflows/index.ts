export { caRotation } from './ca-rotation.js';
export { expiryNotices } from './expiry-notices.js';
export { leafRotation } from './leaf-rotation.js';
export { scheduledLeafRotation } from './scheduled-leaf-rotation.js';
