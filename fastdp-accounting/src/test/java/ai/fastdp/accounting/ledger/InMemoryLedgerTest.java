/* SPDX-License-Identifier: Apache-2.0 */
package ai.fastdp.accounting.ledger;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.fastdp.accounting.DpSgd;
import ai.fastdp.accounting.accountant.DeltaBound;
import ai.fastdp.accounting.accountant.EpsilonBound;
import ai.fastdp.accounting.accountant.PrivacyAccountant;
import ai.fastdp.accounting.accountant.PrivacyBudget;
import ai.fastdp.accounting.accountant.RdpAccountant;
import ai.fastdp.accounting.event.DpEvent;
import ai.fastdp.accounting.event.GaussianEvent;
import ai.fastdp.accounting.event.NeighboringRelation;
import ai.fastdp.accounting.event.SampledWithoutReplacementEvent;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class InMemoryLedgerTest {

  private static final DpEvent STEP = DpSgd.step(0.01, 1);
  private static final DpEvent QUERY = new GaussianEvent(20);

  @Test
  void charge_upToTheBudget_stopsExactlyBeforeTheFirstStepTooMany() {
    long steps = 1234;
    double delta = 1e-6;
    double epsilon = DpSgd.rdp(0.01, 1, steps).optimum(delta).epsilon();
    try (InMemoryLedger ledger =
        new InMemoryLedger(new RdpAccountant(), new PrivacyBudget(epsilon, delta))) {
      for (int i = 0; i < steps; i++) {
        ledger.charge(STEP);
      }
      EpsilonBound spent = ledger.spent();
      assertThat(spent).isEqualTo(EpsilonBound.atMost(epsilon));
      assertThatThrownBy(() -> ledger.charge(STEP))
          .isInstanceOf(PrivacyBudgetExceededException.class)
          .hasMessageContaining("epsilon must stay <= " + epsilon);
      assertThat(ledger.spent()).isEqualTo(spent);
    }
  }

  @Test
  void charge_mixedEvents_neverExceedsAndRefusesOnlyWhatDoesNotFit() {
    PrivacyBudget budget = new PrivacyBudget(2, 1e-6);
    RdpAccountant spent = new RdpAccountant();
    try (InMemoryLedger ledger = new InMemoryLedger(spent, budget)) {
      boolean refused = false;
      for (int i = 0; i < 3000 && !refused; i++) {
        DpEvent event = i % 3 == 2 ? QUERY : STEP;
        RdpAccountant after = spent.copy();
        after.compose(event);
        boolean fits = after.optimum(1e-6).epsilon() <= 2;
        try {
          ledger.charge(event);
          assertThat(fits).isTrue();
          spent = after;
        } catch (PrivacyBudgetExceededException e) {
          assertThat(fits).isFalse();
          refused = true;
        }
      }
      assertThat(refused).isTrue();
      assertThat(ledger.spent().upper())
          .hasValueCloseTo(
              spent.optimum(1e-6).epsilon(), org.assertj.core.data.Percentage.withPercentage(1e-9));
    }
  }

  @Test
  void charge_equalEvents_needsFewQueries() {
    AtomicLong queries = new AtomicLong();
    try (InMemoryLedger ledger =
        new InMemoryLedger(
            new CountingAccountant(new RdpAccountant(), queries), new PrivacyBudget(8, 1e-6))) {
      for (int i = 0; i < 5000; i++) {
        ledger.charge(STEP);
        ledger.charge(new GaussianEvent(200));
      }
    }
    assertThat(queries.get()).isLessThan(200);
  }

  @Test
  void constructor_accountantBeyondBudget_isRefused() {
    RdpAccountant spent = DpSgd.rdp(1, 1, 10);
    assertThatThrownBy(() -> new InMemoryLedger(spent, new PrivacyBudget(1, 1e-6)))
        .isInstanceOf(PrivacyBudgetExceededException.class);
  }

  @Test
  void charge_unsupportedEvent_isRefusedAndRecordsNothing() {
    try (InMemoryLedger ledger =
        new InMemoryLedger(new RdpAccountant(), new PrivacyBudget(1, 1e-6))) {
      assertThatThrownBy(
              () -> ledger.charge(new SampledWithoutReplacementEvent(1, 100, new GaussianEvent(1))))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("ADD_OR_REMOVE_ONE");
      assertThat(ledger.spent()).isEqualTo(EpsilonBound.zero());
    }
  }

  @Test
  void charge_accountantWithoutUpperBound_isRefused() {
    assertThatThrownBy(
            () -> {
              try (InMemoryLedger ledger =
                  new InMemoryLedger(new EstimateOnly(), new PrivacyBudget(1, 1e-6))) {
                ledger.charge(STEP);
              }
            })
        .isInstanceOf(PrivacyBudgetExceededException.class)
        .hasMessageContaining("no upper bound");
  }

  @Test
  void charge_closedLedger_throws() {
    InMemoryLedger ledger = new InMemoryLedger(new RdpAccountant(), new PrivacyBudget(1, 1e-6));
    ledger.close();
    assertThatThrownBy(() -> ledger.charge(STEP)).isInstanceOf(IllegalStateException.class);
  }

  /** Counts epsilon queries. */
  private record CountingAccountant(PrivacyAccountant delegate, AtomicLong queries)
      implements PrivacyAccountant {

    @Override
    public NeighboringRelation relation() {
      return delegate.relation();
    }

    @Override
    public boolean supports(DpEvent event) {
      return delegate.supports(event);
    }

    @Override
    public void compose(DpEvent event, long count) {
      delegate.compose(event, count);
    }

    @Override
    public EpsilonBound epsilon(double delta) {
      queries.incrementAndGet();
      return delegate.epsilon(delta);
    }

    @Override
    public DeltaBound delta(double epsilon) {
      return delegate.delta(epsilon);
    }

    @Override
    public PrivacyAccountant copy() {
      return new CountingAccountant(delegate.copy(), queries);
    }

    @Override
    public String name() {
      return delegate.name();
    }
  }

  /** Zero at first, then an estimate without any guarantee. */
  private static final class EstimateOnly implements PrivacyAccountant {

    private boolean used;

    @Override
    public NeighboringRelation relation() {
      return NeighboringRelation.ADD_OR_REMOVE_ONE;
    }

    @Override
    public boolean supports(DpEvent event) {
      return true;
    }

    @Override
    public void compose(DpEvent event, long count) {
      used = true;
    }

    @Override
    public EpsilonBound epsilon(double delta) {
      return used ? EpsilonBound.approximately(1e-3) : EpsilonBound.zero();
    }

    @Override
    public DeltaBound delta(double epsilon) {
      return used ? DeltaBound.approximately(1e-3) : DeltaBound.zero();
    }

    @Override
    public PrivacyAccountant copy() {
      EstimateOnly copy = new EstimateOnly();
      copy.used = used;
      return copy;
    }

    @Override
    public String name() {
      return "estimate-only";
    }
  }
}
