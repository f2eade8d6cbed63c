/* style.c -- the style sheet: light, dark where the reader prefers it, light again on paper. */
#include "page.h"

/* Okabe and Ito's colours and some of Tol's, made lighter or darker until they stand out from the background. */
static const char light[] = ":root{--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--panel:#f6f8fa;"
                            "--cell:#0b5cad;--low:#000;--mid:#000;--high:#fff;--link:#0b5cad;"
                            "--s0:#0072b2;--s1:#d55e00;--s2:#00866a;--s3:#b4569a;--s4:#9a7400;--s5:#3a9bd9;--s6:#"
                            "882255;--s7:#332288;--s8:#9033b0;"
                            "--s9:#7a7a1e;--s10:#666;--s11:#1d9488;"
                            "--q0:#3b0f57;--q1:#432c7a;--q2:#3d4a8a;--q3:#32648e;--q4:#297b8e;--q5:#21918c;--q6:#"
                            "22a884;--q7:#44bf70;--q8:#6cc24a;"
                            "--q9:#94bd2a;--q10:#b8ae1c;--q11:#c99a12}\n";

static const char dark[] =
    "@media screen and "
    "(prefers-color-scheme:dark){:root{color-scheme:dark;--paper:#14181d;--ink:#e3e8ee;--soft:#9aa5b1;"
    "--line:#343c46;--panel:#1b2027;--cell:#5aa9f0;--low:#fff;--mid:#000;--high:#000;--link:#7cbcf7;"
    "--s0:#4ea6e6;--s1:#ff8a4a;--s2:#2fc79a;--s3:#e8a0cf;--s4:#e6c449;--s5:#a3dcff;--s6:#e5719f;--s7:#9c93f0;"
    "--s8:#d36bff;--s9:#cfcf6a;--s10:#8f969e;--s11:#6fd8c8;"
    "--q0:#8a6fc0;--q1:#7b7fd0;--q2:#6a8fd6;--q3:#569fd2;--q4:#44acc8;--q5:#38b8b8;--q6:#3cc3a0;--q7:#58cd84;--q8:#"
    "82d566;"
    "--q9:#aedb4c;--q10:#d8de3c;--q11:#fde725}}\n";

static const char layout[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1180px;padding:24px 20px 60px;background:var(--paper);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "h1{font-size:26px;line-height:1.25;margin:0 0 4px;overflow-wrap:anywhere}\n"
    "h2{font-size:19px;margin:40px 0 10px;padding-top:14px;border-top:1px solid var(--line)}\n"
    "header p{margin:0 0 8px;color:var(--soft)}nav a{color:var(--link);margin-right:14px;text-decoration:none}"
    "nav a:hover{text-decoration:underline}\n"
    "code{font:0.92em ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}\n"
    ".small,.none,.notes{font-size:13px;color:var(--soft);margin:8px 0 12px}.notes{padding-left:18px}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;min-width:820px;font-size:13.5px;font-variant-"
    "numeric:tabular-"
    "nums}\n"
    "th,td{padding:6px 8px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\n"
    "thead th{color:var(--soft);font-weight:600;vertical-align:bottom;white-space:normal}\n"
    "th:first-child,th.text,td.text{text-align:left}td.wrap{white-space:normal;min-width:9em}"
    "tbody th{font-weight:600;white-space:normal;overflow-wrap:anywhere;min-width:120px}"
    ".seeds th,.seeds td{background:var(--panel)}.seeds td{white-space:normal}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:18px}\n"
    "figure{margin:0;padding:14px 14px 10px;background:var(--panel);border:1px solid var(--line);border-radius:8px;"
    "max-width:100%;break-inside:avoid}\n"
    ".figures figure:only-child{max-width:640px}\n"
    "figcaption{font-size:13.5px;margin-bottom:8px;overflow-wrap:anywhere}figure "
    "svg{display:block;width:100%;height:auto;overflow:visible}\n"
    ".legend{list-style:none;margin:8px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px}"
    ".legend li{overflow-wrap:anywhere}\n"
    "svg.swatch,figure svg.swatch{display:inline-block;width:auto;height:12px;margin-right:6px;vertical-align:-1px}\n"
    "svg text{font-family:inherit;font-size:12px;fill:var(--soft)}svg .axis{font-size:12.5px;fill:var(--ink)}\n"
    "svg.swatch{max-width:100%}.scale{white-space:nowrap}svg .group{font-style:italic}\n"
    "svg .count{font-size:11px;fill:var(--low);pointer-events:none}"
    "svg .count.mid{fill:var(--mid)}svg .count.high{fill:var(--high)}\n"
    ".grid{stroke:var(--line);stroke-width:1;fill:none}.frame{stroke:var(--soft);stroke-width:1;fill:none}"
    ".border{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 "
    "4;fill:none}.cell{fill:var(--cell);shape-rendering:crispEdges}\n"
    ".line{fill:none;stroke:var(--c);stroke-width:1.9;stroke-linejoin:round}.d1 .line{stroke-dasharray:7 4}"
    ".d2 .line{stroke-dasharray:2 3}.mark{fill:var(--c)}.faint .mark{fill-opacity:.45}.dots .mark{fill-opacity:.72}"
    ".ring{fill:none;stroke:var(--c);stroke-width:1.6}\n"
    /* a phone shows a part of a plot that can be read, not the whole of one that cannot */
    "@media screen and (max-width:700px){figure{overflow-x:auto}figure>svg{min-width:440px}"
    "#classes figure>svg{min-width:760px}}\n";

static const char paper[] = "@media "
                            "print{body{max-width:none;padding:0;font-size:11px}nav{display:none}h2{margin-top:22px}"
                            "h2,section>.small:not(:last-child){break-after:avoid}.small{break-inside:avoid}"
                            "table{font-size:9px;min-width:0}"
                            "th,td{padding:3px 5px}.figures{grid-template-columns:1fr 1fr}.scroll{overflow:visible}"
                            "svg{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n";

void style_write(FILE *out)
{
    fprintf(out, "<style>\n%s%s%s%s", light, dark, layout, paper);
    for (int i = 0; i < 12; ++i)
        fprintf(out, ".s%d{--c:var(--s%d)}.q%d{--c:var(--q%d)}%s", i, i, i, i, i == 11 ? "\n" : "");
    fputs("</style>\n", out);
}
