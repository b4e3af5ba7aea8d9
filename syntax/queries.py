"""Queries: what each grammar calls a function, an import, a return …, as tree-sitter query text.

One query per language, run once over the tree. Captures, and what is counted under each name:

=============  ================================================================================================
``@comment``   comments (and bare string statements in Python): taken out before lines of code are counted
``@function``  function or method definitions; prototypes too in C and C++
``@name``      C and C++: the name of a defined function, of which those called ``main`` are counted
``@exports``   JavaScript: what a function is assigned to a member of; counted as one when it is ``module.exports``
``@import``    import, include, using, use
``@return``    return statements
``@simple``    returns of one name or literal, where only those (and bare ones) count as free of logic
``@class``     classes; structs and interfaces in Go
``@field``     declarations that compute nothing: class attributes in Python, no initial value elsewhere
``@variable``  anything that binds a variable
``@single``    Python: the return that is all of a function's body
``@pass``      Python: pass statements
=============  ================================================================================================

The seven languages with a ``@class`` follow OpenCoder's rules (arXiv 2411.04905, appendix on filtering; code:
opc_data_filtering, quality_signals/code_specific). That code reads Java, C#, Go, C and C++ with regular expressions
that also hit calls, ``else if (…)`` and ``return new X(…)``; here the syntax tree decides, so counts are lower.
It reads Python by `ast` but takes any line with "pass" or "import" in it for such a statement and does not see
``async def``; here both are what they say. Its "no variable" rule for C# and Go compares a list with zero and never
fires; here it works.
"""

from __future__ import annotations

_PYTHON = """
(comment) @comment
(expression_statement . (string) @comment .)
(function_definition) @function
(class_definition) @class
[(import_statement) (import_from_statement) (future_import_statement)] @import
(return_statement) @return
(pass_statement) @pass
(function_definition body: (block . (comment)* . (return_statement) @single . (comment)* .))
(assignment left: [(identifier) (pattern_list) (tuple_pattern) (list_pattern)] @variable)
(named_expression) @variable
(for_statement left: (_) @variable)
(parameters (_) @variable)
(class_definition body: (block (expression_statement (assignment left: (identifier)) @field)))
"""

_C = """
(comment) @comment
(function_declarator declarator: [(identifier) (field_identifier)]) @function
(function_definition declarator: (function_declarator declarator: (identifier) @name))
(preproc_include) @import
(return_statement) @return
(return_statement [(identifier) (number_literal) (string_literal) (char_literal) (true) (false) (null)] @simple)
(struct_specifier body: (_)) @class
(declaration type: (primitive_type) . declarator: (identifier) .) @field
(field_declaration type: (primitive_type) . declarator: (field_identifier) .) @field
(declaration declarator: [(identifier) (init_declarator) (pointer_declarator) (array_declarator)] @variable)
"""

_CPP = """
(comment) @comment
(function_declarator declarator: [
  (identifier) (field_identifier) (qualified_identifier) (destructor_name) (operator_name)
]) @function
(function_definition declarator: (function_declarator declarator: (identifier) @name))
(preproc_include) @import
(return_statement) @return
(return_statement [(identifier) (number_literal) (string_literal) (char_literal) (true) (false) (null)] @simple)
(class_specifier body: (_)) @class
(declaration type: [(primitive_type) (placeholder_type_specifier)] . declarator: (identifier) .) @field
(field_declaration type: (primitive_type) . declarator: (field_identifier) .) @field
(declaration declarator: [
  (identifier) (init_declarator) (pointer_declarator) (array_declarator) (reference_declarator)
] @variable)
"""

_C_SHARP = """
(comment) @comment
[(method_declaration) (local_function_statement)] @function
(using_directive) @import
(return_statement) @return
(class_declaration) @class
(variable_declaration type: (predefined_type) (variable_declarator . (identifier) .)) @field
(variable_declaration) @variable
"""

_JAVA = """
[(line_comment) (block_comment)] @comment
(method_declaration) @function
(import_declaration) @import
(return_statement) @return
(return_statement [
  (identifier) (string_literal) (decimal_integer_literal) (hex_integer_literal) (true) (false) (null_literal)
] @simple)
(class_declaration) @class
(field_declaration (variable_declarator . (identifier) .) .) @field
(local_variable_declaration (variable_declarator . (identifier) .) .) @field
[(field_declaration) (local_variable_declaration)] @variable
"""

_JAVASCRIPT = """
[(comment) (hash_bang_line) (html_comment)] @comment
[(function_declaration) (generator_function_declaration)] @function
(variable_declarator name: (identifier) value: [(function_expression) (generator_function)]) @function
(assignment_expression
  left: (member_expression object: (member_expression) @exports) right: [(function_expression) (arrow_function)])
(import_statement) @import
(return_statement) @return
(return_statement [
  (identifier) (undefined) (string) (number) (true) (false) (null) (regex) (unary_expression)
] @simple)
(class_declaration) @class
(variable_declarator !value) @field
(variable_declarator value: [
  (identifier) (undefined) (string) (number) (true) (false) (null) (regex) (unary_expression)
]) @field
(variable_declarator name: (identifier) !value) @variable
(variable_declarator name: (identifier) value: (_) @variable)
"""

_GO = """
(comment) @comment
[(function_declaration) (method_declaration)] @function
(import_spec) @import
(return_statement) @return
(type_spec type: [(struct_type) (interface_type)]) @class
(var_declaration (var_spec name: (identifier) !value)) @field
[(var_spec) (const_spec) (short_var_declaration)] @variable
"""

_TYPESCRIPT = """
[(comment) (hash_bang_line) (html_comment)] @comment
[(function_declaration) (generator_function_declaration) (method_definition)] @function
(variable_declarator value: [(function_expression) (generator_function) (arrow_function)]) @function
(import_statement) @import
(return_statement) @return
"""

_RUST = """
[(line_comment) (block_comment) (shebang)] @comment
(function_item) @function
[(use_declaration) (extern_crate_declaration)] @import
(return_expression) @return
"""

_RUBY = """
(comment) @comment
[(method) (singleton_method)] @function
(return) @return
"""

_PHP = """
(comment) @comment
[(function_definition) (method_declaration)] @function
[
  (namespace_use_declaration) (include_expression) (include_once_expression) (require_expression)
  (require_once_expression)
] @import
(return_statement) @return
"""

_SHELL = """
(comment) @comment
(function_definition) @function
"""

_SCALA = """
[(comment) (block_comment)] @comment
(function_definition) @function
(import_declaration) @import
(return_expression) @return
"""

_LUA = """
[(comment) (hash_bang_line)] @comment
[(function_declaration) (function_definition)] @function
(return_statement) @return
"""

_KOTLIN = """
[(line_comment) (block_comment) (shebang)] @comment
(function_declaration) @function
(import) @import
(return_expression) @return
"""

_COMMENTS_ONLY = "(comment) @comment"

QUERIES = {
    "python": _PYTHON,
    "c": _C,
    "c++": _CPP,
    "c#": _C_SHARP,
    "java": _JAVA,
    "javascript": _JAVASCRIPT,
    "go": _GO,
    "typescript": _TYPESCRIPT,
    "rust": _RUST,
    "ruby": _RUBY,
    "php": _PHP,
    "shell": _SHELL,
    "scala": _SCALA,
    "lua": _LUA,
    "kotlin": _KOTLIN,
    "html": _COMMENTS_ONLY,
    "css": "[(comment) (js_comment)] @comment",
    "json": _COMMENTS_ONLY,
    "yaml": _COMMENTS_ONLY,
    "toml": _COMMENTS_ONLY,
}


def counts(language: str, capture: str) -> bool:
    """Whether a language's query has a capture, so whether the fact behind it applies.

    >>> counts("python", "pass"), counts("json", "function")
    (True, False)
    """
    return f"@{capture}" in QUERIES[language]
