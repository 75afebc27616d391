/* The page's scripts are joined to one, so each may use what an earlier one made. */
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    files: ["**/*.js"],
    linterOptions: { reportUnusedDisableDirectives: "error" },
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "script",
      globals: { ...globals.browser, readersTime: "writable", shownText: "writable", readersPlace: "writable", rowParts: "writable" },
    },
    rules: {
      "no-redeclare": ["error", { builtinGlobals: false }],
      "no-unused-vars": ["error", { varsIgnorePattern: "^(readersTime|shownText|readersPlace|rowParts)$" }],
      "eqeqeq": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-use-before-define": ["error", { functions: false, variables: false }],
      "no-shadow": ["error", { builtinGlobals: false, hoist: "never" }],
      "consistent-return": "error",
      "no-restricted-properties": ["error",
        ...["innerHTML", "outerHTML", "insertAdjacentHTML"].map((property) => ({ property, message: "Captured text becomes text nodes only." })),
        { object: "document", property: "write", message: "Captured text becomes text nodes only." },
      ],
      "no-restricted-globals": ["error", "fetch", "XMLHttpRequest", "WebSocket", "localStorage", "sessionStorage"],
      "max-lines": ["error", 400],
    },
  },
];
