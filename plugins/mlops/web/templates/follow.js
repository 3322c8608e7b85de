// A link to one of Airflow's own pages: where we stand in its frame, Airflow itself goes there.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow]");
  const other = event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
  if (!link || other || window.parent === window) return;
  event.preventDefault();
  window.parent.history.pushState(null, "", link.href);
  window.parent.dispatchEvent(new PopStateEvent("popstate", { state: null }));
});
