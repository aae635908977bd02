# SPDX-License-Identifier: MIT
# The provider openai.

openai_sources =
