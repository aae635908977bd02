# SPDX-License-Identifier: MIT
# tests/schema: the JSON Schema validator against the public suite.
check_PROGRAMS += tests/schema/public_suite
TESTS += tests/schema/public_suite
tests_schema_public_suite_LDADD = $(host_ldadd)
EXTRA_DIST += tests/schema/suite/LICENSE tests/schema/suite/README.md \
	tests/schema/suite/additionalProperties.json \
	tests/schema/suite/allOf.json \
	tests/schema/suite/anchor.json \
	tests/schema/suite/anyOf.json \
	tests/schema/suite/boolean_schema.json \
	tests/schema/suite/const.json \
	tests/schema/suite/contains.json \
	tests/schema/suite/content.json \
	tests/schema/suite/default.json \
	tests/schema/suite/defs.json \
	tests/schema/suite/dependentRequired.json \
	tests/schema/suite/dependentSchemas.json \
	tests/schema/suite/enum.json \
	tests/schema/suite/exclusiveMaximum.json \
	tests/schema/suite/exclusiveMinimum.json \
	tests/schema/suite/if-then-else.json \
	tests/schema/suite/infinite-loop-detection.json \
	tests/schema/suite/items.json \
	tests/schema/suite/maxContains.json \
	tests/schema/suite/maxItems.json \
	tests/schema/suite/maxLength.json \
	tests/schema/suite/maxProperties.json \
	tests/schema/suite/maximum.json \
	tests/schema/suite/minContains.json \
	tests/schema/suite/minItems.json \
	tests/schema/suite/minLength.json \
	tests/schema/suite/minProperties.json \
	tests/schema/suite/minimum.json \
	tests/schema/suite/multipleOf.json \
	tests/schema/suite/not.json \
	tests/schema/suite/oneOf.json \
	tests/schema/suite/optional/anchor.json \
	tests/schema/suite/optional/bignum.json \
	tests/schema/suite/optional/ecmascript-regex.json \
	tests/schema/suite/optional/float-overflow.json \
	tests/schema/suite/optional/non-bmp-regex.json \
	tests/schema/suite/pattern.json \
	tests/schema/suite/patternProperties.json \
	tests/schema/suite/prefixItems.json \
	tests/schema/suite/properties.json \
	tests/schema/suite/propertyNames.json \
	tests/schema/suite/ref.json \
	tests/schema/suite/required.json \
	tests/schema/suite/type.json \
	tests/schema/suite/uniqueItems.json
