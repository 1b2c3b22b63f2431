'use strict';
// Counts down, and takes the form away when its time is over: the agent has
// told the site by then that nobody answered.
(function () {
  var left = document.getElementById('left');
  var form = document.querySelector('form');
  var end = Date.now() + 1000 * Number(left.dataset.seconds);
  function tick() {
    var seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    left.textContent = left.dataset.text.replace('#', String(seconds));
    if (seconds === 0) {
      clearInterval(timer);
      form.remove();
    }
  }
  var timer = setInterval(tick, 500);
  tick();
  document.addEventListener('keydown', function (e) {
    if (e.key === 'Escape') {
      var refuse = document.getElementById('refuse');
      if (refuse) { refuse.click(); }
    }
  });
})();
