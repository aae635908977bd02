# SPDX-License-Identifier: MIT
# Configuration, manual pages, systemd unit, completions.
