// A viewer that reads only every two seconds: its thread is busy in between. By long polling it asks for messages when
// it is ready, so nothing waits in the buffers of the network. What the history no longer contains is a gap.
import { connect } from "/channels/channels.js";

const PAUSE = 2000, BATCH = 60;
const nothing = new Int32Array(new ArrayBuffer(4));
let count = 0;

const wait = () => {
  const end = performance.now() + PAUSE;
  while (performance.now() < end) {
    nothing[0]++;
  }
};

connect("/channels", { transports: ["poll"] }).subscribe("points", {
  onmessage: ({ data }) => {
    postMessage({ data });
    if (++count % BATCH === 0) {
      wait();
    }
  },
  ongap: ({ missed }) => postMessage({ missed }),
});
